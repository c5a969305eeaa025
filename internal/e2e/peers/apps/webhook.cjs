// A bot without a framework that takes its events by webhook, of which it checks the
// signature, and calls over HTTP.
const { createHmac } = require('node:crypto')
const { createServer } = require('node:http')
const { note } = require('./heard.cjs')

createServer((request, answer) => {
  const parts = []
  request.on('data', (d) => parts.push(d))
  request.on('end', () => {
    const body = Buffer.concat(parts)
    const sum = 'sha1=' + createHmac('sha1', process.env.ONEBOT_TOKEN).update(body).digest('hex')
    answer.statusCode = request.headers['x-signature'] === sum && request.headers['x-self-id'] === process.env.ONEBOT_SELF_ID ? 204 : 403
    answer.end()
    const e = JSON.parse(body)
    if (answer.statusCode !== 204 || e.post_type !== 'message') return
    note(e.raw_message)
    const found = /^\/webhook (.*)/.exec(e.raw_message)
    if (!found) return
    fetch(process.env.CALLS + '/send_group_msg', {
      method: 'POST', headers: { authorization: 'Bearer ' + process.env.ONEBOT_TOKEN, 'content-type': 'application/json' },
      body: JSON.stringify({ group_id: e.group_id, message: 'webhook: ' + found[1] }),
    })
  })
}).listen(Number(process.env.WAITS), '127.0.0.1')
