// A bot on AlemonJS. Its address and token are in alemon.config.yaml, which it reads
// in its folder.
import { defineChildren, defineRouter, Format, lazy, useMessage } from 'alemonjs'

const answer = (event) => {
  const [message] = useMessage(event)
  message.send({ format: Format.create().addText('alemon: ' + event.MessageText.slice('/alemon '.length)) })
}

const responseRouter = defineRouter([
  { selects: ['message.create'], prefix: '/alemon ', handler: lazy(() => ({ default: answer })) },
])

export default defineChildren({ register: () => ({ responseRouter }) })
