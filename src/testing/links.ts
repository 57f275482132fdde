/** The wires between servers of a test network, at the level of TCP: they can be slow, cut or silent. */
import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/** One direction between two servers: connections that one of them opens to the other. */
class Wire {
  readonly #open = new Set<Socket>();
  #delayMs = 0;
  #state: 'up' | 'cut' | 'silent' = 'up';

  set(state: 'up' | 'cut' | 'silent', delayMs: number): void {
    const before = this.#state;
    this.#state = state;
    this.#delayMs = delayMs;
    if (state === 'cut') for (const socket of this.#open) socket.resetAndDestroy();
    if (state === 'silent') for (const socket of this.#open) socket.pause();
    // What was said into the silence is lost.
    if (before === 'silent' && state === 'up') for (const socket of this.#open) socket.destroy();
  }

  /** Joins a connection that came in to the server at a port, as the wire is at each moment. */
  carry(incoming: Socket, port: number): void {
    incoming.on('error', () => undefined);
    if (this.#state === 'cut') {
      incoming.resetAndDestroy();
      return;
    }
    this.#add(incoming);
    if (this.#state === 'silent') {
      incoming.pause();
      return;
    }
    const outgoing = dial(port, '127.0.0.1');
    outgoing.on('error', () => incoming.resetAndDestroy());
    this.#add(outgoing);
    this.#pump(incoming, outgoing);
    this.#pump(outgoing, incoming);
  }

  #add(socket: Socket): void {
    this.#open.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => this.#open.delete(socket));
  }

  #pump(from: Socket, to: Socket): void {
    const later = (work: () => void) => {
      if (this.#delayMs === 0) work();
      else setTimeout(work, this.#delayMs);
    };
    from.on('data', (chunk) => {
      if (this.#state === 'up') later(() => to.writable && to.write(chunk));
    });
    from.on('end', () => later(() => to.end()));
    from.on('close', () => {
      if (this.#state !== 'silent') later(() => to.destroy());
    });
  }
}

/** What is between two servers, in both directions or in one. */
export class Link {
  readonly #wires: readonly Wire[];

  constructor(wires: readonly Wire[]) {
    this.#wires = wires;
  }

  /** No connection is possible, and those that there are break: at once, as when a host says that nobody is there. */
  cut(): void {
    this.#set('cut', 0);
  }

  /** Connections open and nothing ever comes, the worst that a server can do. */
  silence(): void {
    this.#set('silent', 0);
  }

  /** Everything takes so much longer, in each direction. */
  delay(ms: number): void {
    this.#set('up', ms);
  }

  /** As it was at the beginning. */
  heal(): void {
    this.#set('up', 0);
  }

  #set(state: 'up' | 'cut' | 'silent', delayMs: number): void {
    for (const wire of this.#wires) wire.set(state, delayMs);
  }
}

/** What stands before the servers: each is reached through a port here, and who calls is known by the address. */
export class Links implements AsyncDisposable {
  readonly #wires = new Map<string, Wire>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /** The address from which the server of this number calls the others. Linux has all of 127.0.0.0/8. */
  static addressOf(index: number): string {
    return `127.0.0.${10 + index}`;
  }

  /** Listens on `port` for calls to the server of this number, which listens on `target` itself. */
  async stand(index: number, port: number, target: number): Promise<void> {
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.#wire(socket.remoteAddress ?? '', index).carry(socket, target);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.push(server);
  }

  /** The link between two servers. */
  between(one: number, other: number): Link {
    return new Link([this.#wire(Links.addressOf(one), other), this.#wire(Links.addressOf(other), one)]);
  }

  /** What one server asks and tells another one; what that one does by itself goes another way. */
  from(one: number, to: number): Link {
    return new Link([this.#wire(Links.addressOf(one), to)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #wire(from: string, to: number): Wire {
    const key = `${from} ${to}`;
    let wire = this.#wires.get(key);
    if (wire === undefined) {
      wire = new Wire();
      this.#wires.set(key, wire);
    }
    return wire;
  }
}
