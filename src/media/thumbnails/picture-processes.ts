import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { limitExceeded } from '../../protocol/errors.ts';
import type { PictureAnswer, PictureTask } from './messages.ts';

/** Beyond this nobody would wait for the answer. */
const WAITING_MAX = 500;
const RETRY_MS = 5_000;
const IDLE_MS = 60_000;
/** A process is replaced now and then, so that what it may have leaked goes. */
const TASKS_PER_PROCESS_MAX = 500;

interface Waiting {
  readonly task: PictureTask;
  readonly resolve: (answer: PictureAnswer) => void;
  readonly reject: (error: unknown) => void;
}

interface Slot {
  readonly child: ChildProcess;
  taskCount: number;
  idleTimer: NodeJS.Timeout | undefined;
}

/** Runs tasks in up to `processesMax` processes, which are started when needed and end when nothing is to do. */
export class PictureProcesses implements AsyncDisposable {
  readonly #processesMax: number;
  readonly #timeoutMs: number;
  readonly #idle: Slot[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #all = new Set<Slot>();
  #isClosed = false;

  constructor(options: { readonly processesMax: number; readonly timeoutMs: number }) {
    this.#processesMax = options.processesMax;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Runs a task. An answer with `error` also where the process crashed or took too long. Throws `M_LIMIT_EXCEEDED` where too many wait. */
  run(task: PictureTask): Promise<PictureAnswer> {
    if (this.#waiting.length >= WAITING_MAX) throw limitExceeded(RETRY_MS);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#isClosed) return;
    const slot = this.#idle.pop() ?? (this.#all.size < this.#processesMax ? this.#start() : undefined);
    if (slot === undefined) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) this.#perform(slot, waiting);
  }

  #perform(slot: Slot, { task, resolve, reject }: Waiting): void {
    const { child } = slot;
    clearTimeout(slot.idleTimer);
    slot.taskCount++;
    const finish = (answer: PictureAnswer): void => {
      clearTimeout(timer);
      child.off('message', finish).off('exit', onExit).off('error', onError);
      if (slot.taskCount < TASKS_PER_PROCESS_MAX && this.#all.has(slot)) this.#rest(slot);
      else this.#end(slot);
      resolve(answer);
      this.#next();
    };
    const onExit = (): void => {
      this.#all.delete(slot);
      finish({ error: 'the process crashed' });
    };
    const onError = (error: Error): void => {
      this.#end(slot);
      clearTimeout(timer);
      child.off('message', finish).off('exit', onExit);
      reject(error);
      this.#next();
    };
    const timer = setTimeout(() => {
      this.#end(slot);
      finish({ error: 'it takes too long' });
    }, this.#timeoutMs);
    child.once('message', finish).once('exit', onExit).once('error', onError);
    child.send(task);
  }

  #rest(slot: Slot): void {
    slot.idleTimer = setTimeout(() => this.#end(slot), IDLE_MS).unref();
    this.#idle.push(slot);
  }

  #end(slot: Slot): void {
    clearTimeout(slot.idleTimer);
    this.#all.delete(slot);
    const at = this.#idle.indexOf(slot);
    if (at !== -1) this.#idle.splice(at, 1);
    slot.child.kill('SIGKILL');
  }

  #start(): Slot {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const file = fileURLToPath(new URL(`./thumbnail-process.${extension}`, import.meta.url));
    // No environment: it needs none of the server's secrets. Fewer arenas: large buffers go back to the system.
    const child = fork(file, [], {
      env: { MALLOC_ARENA_MAX: '2', UV_THREADPOOL_SIZE: '2' },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    child.unref();
    child.channel?.unref();
    const slot: Slot = { child, taskCount: 0, idleTimer: undefined };
    this.#all.add(slot);
    return slot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const slot of [...this.#all]) this.#end(slot);
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the server stops'));
  }
}
