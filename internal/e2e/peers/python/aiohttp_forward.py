"""A client on aiohttp, as NoneBot's driver has one, with the token in a header and a
heartbeat of its own."""
import asyncio
import json
import os

import aiohttp

from heard import TOKEN, answer


async def main():
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        while True:
            try:
                async with session.ws_connect(os.environ["ONEBOT_URL"], heartbeat=1, max_msg_size=0) as ws:
                    async for frame in ws:
                        call = answer(frame.data)
                        if call:
                            await ws.send_str(json.dumps(call))
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


asyncio.run(main())
