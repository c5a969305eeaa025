"""A client on aiohttp that takes events as Server-Sent Events and calls over HTTP."""
import asyncio
import os

import aiohttp

from heard import TOKEN, answer

URL = os.environ["CALLS"]


async def main():
    last = ""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=aiohttp.ClientTimeout(total=None)) as session:
        while True:
            try:
                async with session.get(URL + "/_events", headers={"Last-Event-ID": last} if last else {}) as stream:
                    async for line in stream.content:
                        if line.startswith(b"id: "):
                            last = line[4:].strip().decode()
                        if not line.startswith(b"data: "):
                            continue
                        call = answer(line[6:])
                        if call:
                            await (await session.post(f"{URL}/{call['action']}", json=call["params"])).read()
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


asyncio.run(main())
