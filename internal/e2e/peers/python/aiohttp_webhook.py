"""A server on aiohttp that takes events by webhook, checks their signature, and answers
with a quick operation."""
import hashlib
import hmac
import os

from aiohttp import web

from heard import SELF_ID, TOKEN, answer


async def event(request):
    body = await request.read()
    want = "sha1=" + hmac.new(TOKEN.encode(), body, hashlib.sha1).hexdigest()
    if request.headers.get("X-Signature") != want or request.headers.get("X-Self-ID") != SELF_ID:
        return web.Response(status=403)
    call = answer(body)
    if not call:
        return web.Response(status=204)
    return web.json_response({"reply": call["params"]["message"], "at_sender": False})


app = web.Application()
app.router.add_post("/", event)
web.run_app(app, host="127.0.0.1", port=int(os.environ["WAITS"]), print=None)
