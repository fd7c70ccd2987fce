import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'

// What a heartbeat is measured against: the least that Socket.IO can do with a ping.

const http = createServer()
const io = new Server(http, { serveClient: false })
io.on('connection', (socket) => {
  socket.on('ping', (_payload: unknown, ack: (answer: object) => void) => {
    ack({
      ok: true,
      message: 'Heartbeat recorded successfully',
      last_activity: '2026-01-01T00:00:00.000Z',
      remaining_credits: 10,
      credits_consumed: 1,
    })
  })
})
http.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}"`)
})
