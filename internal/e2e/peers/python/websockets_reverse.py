"""A reverse WebSocket on the library websockets, as MaiBot's adapter serves it. It
pings by itself, and offers compression."""
import asyncio
import json
import os

import websockets

from heard import answer


async def link(ws):
    async for frame in ws:
        call = answer(frame)
        if call:
            await ws.send(json.dumps(call))


async def main():
    async with websockets.serve(link, "127.0.0.1", int(os.environ["WAITS"]), max_size=2**26, ping_interval=1):
        await asyncio.Future()


asyncio.run(main())
