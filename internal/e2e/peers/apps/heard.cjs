// What a bot heard, a line each, in the file that HEARD names; beside it, in one that
// ends in .replayed, what of that came with the mark.
const { appendFileSync } = require('node:fs')

exports.note = (text, replayed) => {
  if (!process.env.HEARD) return
  appendFileSync(process.env.HEARD, text + '\n')
  if (replayed) appendFileSync(process.env.HEARD + '.replayed', text + '\n')
}
