// A bot that waits for a reverse WebSocket, as ncatd runs it. nginx stands in
// front of it: what ncatd is told is nginx's address.
const { WebSocketServer } = require('ws')

const server = new WebSocketServer({ port: Number(process.env.BEHIND), host: '127.0.0.1' })
server.on('connection', (ws, request) => {
  const h = request.headers
  if (h.authorization !== 'Bearer ' + process.env.ONEBOT_TOKEN || h['x-self-id'] !== process.env.ONEBOT_SELF_ID || h['x-client-role'] !== 'Universal') {
    console.error('wrong headers', JSON.stringify(h))
    return ws.close()
  }
  ws.on('message', (frame) => {
    const e = JSON.parse(frame)
    const found = /^\/reverse (.*)/.exec(e.raw_message)
    if (found) ws.send(JSON.stringify({ action: 'send_group_msg', params: { group_id: e.group_id, message: 'reverse: ' + found[1] }, echo: { a: [1] } }))
  })
})
