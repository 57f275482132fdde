/** A mail server for tests, on loopback, that takes everything. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Keeps the messages that it took. */
export class MailBox implements AsyncDisposable {
  readonly messages: { readonly to: string; readonly headers: string; readonly text: string }[] = [];
  /** Refuses everybody for now. */
  isClosed = false;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((socket) => {
      let to = '';
      let data: string | undefined;
      let buffered = '';
      socket.write('220 test ESMTP\r\n');
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        buffered += chunk.toString();
        for (let end = buffered.indexOf('\r\n'); end >= 0; end = buffered.indexOf('\r\n')) {
          const line = buffered.slice(0, end);
          buffered = buffered.slice(end + 2);
          if (data !== undefined && line !== '.') {
            data += `${line}\n`;
          } else if (data !== undefined) {
            this.messages.push({ to, headers: headersOf(data), text: decode(data) });
            data = undefined;
            socket.write('250 taken\r\n');
          } else if (/^rcpt to:/i.test(line) && this.isClosed) {
            socket.write('451 later\r\n');
          } else if (/^rcpt to:/i.test(line)) {
            to = /<([^>]+)>/.exec(line)?.[1] ?? '';
            socket.write('250 ok\r\n');
          } else if (/^data/i.test(line)) {
            data = '';
            socket.write('354 go on\r\n');
          } else if (/^quit/i.test(line)) {
            socket.end('221 bye\r\n');
          } else {
            socket.write('250 ok\r\n');
          }
        }
      });
    }).listen(0, '127.0.0.1');
  }

  async port(): Promise<number> {
    if (!this.#server.listening) await once(this.#server, 'listening');
    const address = this.#server.address();
    assert.ok(typeof address === 'object' && address !== null);
    return address.port;
  }

  /** The link in the last message to an address. */
  linkTo(address: string): string {
    const message = this.messages.findLast((one) => one.to === address);
    const link = /https?:\/\/\S+/.exec(message?.text ?? '')?.[0];
    assert.ok(link !== undefined, `no link to ${address}`);
    return link.replace(/^https?:\/\/[^/]+/, '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }
}

function decode(data: string): string {
  const isBase64 = /content-transfer-encoding: base64/i.test(data);
  const body = data.slice(data.indexOf('\n\n') + 2);
  if (isBase64) return Buffer.from(body, 'base64').toString();
  const bytes = body
    .replaceAll('=\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}

/** The headers, unfolded. */
function headersOf(data: string): string {
  return data.slice(0, data.indexOf('\n\n')).replaceAll(/\n[ \t]+/g, ' ');
}
