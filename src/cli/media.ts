/** `inglenook media …`: files, whether the server runs or not. */
import { askRunningServer, type ControlRequest, control, controlSocket } from '../control.ts';
import { openDomains } from '../homeserver.ts';
import { silentLogger } from '../telemetry/log.ts';
import { configFor } from './config-file.ts';
import { CliError } from './error.ts';

export interface VerifyMediaOptions {
  readonly config?: string;
  readonly dryRun?: boolean;
  /** Reads every file. */
  readonly hash?: boolean;
}

/** Looks for files without rows, rows without files and (`hash`) damaged files, and sets it right unless `dryRun`. */
export async function verifyMedia({ config, dryRun = false, hash = false }: VerifyMediaOptions): Promise<void> {
  await run(config, { do: 'media.verify', mend: !dryRun, hash });
}

/** Brings files that lie elsewhere to the store of the configuration. */
export async function moveMedia(options: { readonly config?: string }): Promise<void> {
  await run(options.config, { do: 'media.move' });
}

async function run(configFile: string | undefined, wish: ControlRequest): Promise<void> {
  const { config } = await configFor(configFile);
  const socket = controlSocket(config.server.data_folder);
  let answer = socket === undefined ? undefined : await askRunningServer(socket, wish, console.error);
  if (answer === undefined) {
    await using domains = await openDomains(config, { logger: silentLogger });
    answer = await control(domains, wish, { signal: new AbortController().signal, onProgress: console.error });
  }
  if ('error' in answer) throw new CliError(answer.error);
  for (const line of answer.lines) console.log(line);
}
