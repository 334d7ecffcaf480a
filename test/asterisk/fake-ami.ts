/** As much of AMI as the link sees: it greets, and answers what its `does` says. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

type Action = Record<string, string>

export class FakeAmi implements AsyncDisposable {
  readonly #server = createServer(socket => this.#join(socket))
  readonly #sockets = new Set<Socket>()
  readonly logins: number[] = []
  readonly actions: Action[] = []
  received = ''
  /** The answer to an action: lines; undefined is none. */
  does: (action: Action) => string[] | undefined = () => ['Response: Success']

  static async open(): Promise<FakeAmi> {
    const ami: FakeAmi = new FakeAmi()
    ami.#server.listen(0, '127.0.0.1')
    await once(ami.#server, 'listening')
    return ami
  }

  get port() { return (this.#server.address() as AddressInfo).port }
  get links() { return this.#sockets.size }

  says(...lines: string[]) {
    for (const socket of this.#sockets) socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  }

  drops() {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  #join(socket: Socket) {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.write('Asterisk Call Manager/11.0.0\r\n')
    let rest = ''
    socket.on('data', chunk => {
      this.received += String(chunk)
      const messages = (rest + String(chunk)).split('\r\n\r\n')
      rest = messages.pop()!
      for (const message of messages) {
        const action: Action = Object.fromEntries(message.split('\r\n').map(line => line.split(': ') as [string, string]))
        if (action['Action'] === 'login') this.logins.push(performance.now())
        else this.actions.push(action)
        const answer = this.does(action)
        if (answer) socket.write(`${[answer[0], `ActionID: ${action['ActionID']}`, ...answer.slice(1)].join('\r\n')}\r\n\r\n`)
      }
    })
  }

  async [Symbol.asyncDispose]() {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
