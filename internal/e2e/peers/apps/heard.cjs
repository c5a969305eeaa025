// What a bot heard and was said about it, a line each, in the file that HEARD names.
const { appendFileSync } = require('node:fs')

exports.note = (text) => {
  if (process.env.HEARD) appendFileSync(process.env.HEARD, text + '\n')
}
