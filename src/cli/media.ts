/** `inglenook media …`: files, whether the server runs or not. */
import { askRunningServer, type ControlRequest, control, controlSocket } from '../control.ts';
import { openDomains } from '../homeserver.ts';
import { silentLogger } from '../telemetry/log.ts';
import { configFor } from './config-file.ts';
import { CliError } from './error.ts';

/** Looks for files without rows and rows without files, and sets it right unless `dryRun`. */
export async function verifyMedia(options: { readonly config?: string; readonly dryRun?: boolean }): Promise<void> {
  await run(options.config, { do: 'media.verify', mend: options.dryRun !== true });
}

/** Brings files that lie elsewhere to the store of the configuration. */
export async function moveMedia(options: { readonly config?: string }): Promise<void> {
  await run(options.config, { do: 'media.move' });
}

async function run(configFile: string | undefined, wish: ControlRequest): Promise<void> {
  const { config } = await configFor(configFile);
  const socket = controlSocket(config.server.data_folder);
  let answer = socket === undefined ? undefined : await askRunningServer(socket, wish);
  if (answer === undefined) {
    await using domains = await openDomains(config, { logger: silentLogger });
    answer = await control(domains, wish);
  }
  if ('error' in answer) throw new CliError(answer.error);
  for (const line of answer.lines) console.log(line);
}
