import { Worker } from 'node:worker_threads';
import { StorageUnavailableError } from '../errors.ts';
import { endWorker } from './end-worker.ts';

interface Waiting {
  readonly resolve: (rows: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
}

interface Answer {
  readonly id: number;
  readonly rows?: readonly unknown[];
  readonly error?: string;
}

const WAITING_MAX = 1_000;
const WORKER_IDLE_MS = 60_000;

/** Reads that may take long, in a worker thread with its own connection; the thread ends when nobody asks for a while. */
export class AsideReads {
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #lastId = 0;
  #isClosed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Runs a statement on the newest committed state and returns its rows. */
  read(text: string, parameters: readonly unknown[]): Promise<readonly unknown[]> {
    if (this.#isClosed) throw new StorageUnavailableError('the database is closed');
    if (this.#waiting.size >= WAITING_MAX) throw new StorageUnavailableError('too many long reads are waiting');
    clearTimeout(this.#idleTimer);
    const worker = this.#worker ?? this.#start();
    this.#lastId++;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, text, parameters });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    await endWorker(this.#worker);
    this.#fail(new StorageUnavailableError('the database is closed'));
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./aside-thread.${extension}`, import.meta.url), { workerData: this.#path });
    worker.unref();
    worker.on('message', (answer: Answer) => this.#settle(worker, answer));
    worker.on('error', (error) => this.#lose(worker, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#lose(worker, new Error('the reading thread ended')));
    this.#worker = worker;
    return worker;
  }

  #settle(worker: Worker, { id, rows, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) waiting?.reject(new Error(error));
    else waiting?.resolve(rows ?? []);
    if (this.#waiting.size > 0) return;
    worker.unref();
    this.#idleTimer = setTimeout(() => {
      this.#worker = undefined;
      void endWorker(worker);
    }, WORKER_IDLE_MS);
    this.#idleTimer.unref();
  }

  #lose(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#fail(error);
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
