/** The request that handlers get. What only some of them need is made when they ask for it. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Remote } from './requester.ts';
import type { RouteRequest } from './route.ts';

/** The requests of this process are told from those of others by a prefix. */
const ID_PREFIX = Math.floor(Math.random() * 36 ** 4).toString(36);
let lastId = 0;

/** Signals that are to be aborted when the server shuts down: those of waiting requests. */
export interface OpenSignals {
  readonly controllers: Set<AbortController>;
  /** Those among them that wait for news, by user. */
  readonly byUser: Map<string, Set<PipelineRequest>>;
  /** Signals that are asked for from now on are aborted already. */
  isClosing: boolean;
}

/** One request on its way through the pipeline. */
export class PipelineRequest implements RouteRequest<unknown, unknown, unknown, unknown> {
  params: unknown;
  query: unknown;
  body: unknown;
  requester: unknown;
  readonly remote: Remote;
  readonly now: number;
  /** For the duration: `performance.now()` at the start. */
  readonly startedAt = performance.now();
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly #openSignals: OpenSignals;
  #requestId: string | undefined;
  #controller: AbortController | undefined;
  #isDoubtful = false;

  constructor(incoming: IncomingMessage, response: ServerResponse, remote: Remote, now: number, open: OpenSignals) {
    this.incoming = incoming;
    this.response = response;
    this.remote = remote;
    this.now = now;
    this.#openSignals = open;
  }

  get headers(): IncomingHttpHeaders {
    return this.incoming.headers;
  }

  get requestId(): string {
    if (this.#requestId === undefined) {
      lastId++;
      this.#requestId = `${ID_PREFIX}-${lastId.toString(36)}`;
    }
    return this.#requestId;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) this.#controller = this.#startController();
    return this.#controller.signal;
  }

  /** Whether the user's tokens have changed since `watch`. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** Listens until the answer is out for changes of the user's tokens. */
  watch(userId: string): void {
    const { byUser } = this.#openSignals;
    const ofUser = byUser.get(userId) ?? new Set();
    byUser.set(userId, ofUser.add(this));
    this.response.once('close', () => {
      ofUser.delete(this);
      if (ofUser.size === 0 && byUser.get(userId) === ofUser) byUser.delete(userId);
    });
  }

  /** The user's tokens have changed: nothing is waited for any more, and who asks is to be looked at again. */
  doubt(): void {
    this.#isDoubtful = true;
    this.#controller?.abort();
  }

  #startController(): AbortController {
    const controller = new AbortController();
    const open = this.#openSignals;
    const { response } = this;
    if (open.isClosing || this.#isDoubtful || response.destroyed) controller.abort();
    open.controllers.add(controller);
    response.once('close', () => {
      open.controllers.delete(controller);
      if (!response.writableFinished) controller.abort();
    });
    return controller;
  }
}
