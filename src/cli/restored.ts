/** `inglenook restored`: to be run once on data from a copy, before a server starts on them. */
import { askRunningServer, type ControlRequest, control, controlSocket } from '../control.ts';
import { openDomains } from '../homeserver.ts';
import { silentLogger } from '../telemetry/log.ts';
import { configFor } from './config-file.ts';
import { CliError } from './error.ts';

const WISH: ControlRequest = { do: 'restored' };

/**
 * Takes back what may have been given out after the copy was made, one-time keys above all. What was left to do (jobs,
 * federation) waits for the start.
 */
export async function restored(options: { readonly config?: string }): Promise<void> {
  const { config } = await configFor(options.config);
  const socket = controlSocket(config.server.data_folder);
  let answer = socket === undefined ? undefined : await askRunningServer(socket, WISH);
  if (answer === undefined) {
    await using domains = await openDomains(config, { logger: silentLogger });
    answer = await control(domains, WISH);
  }
  if ('error' in answer) throw new CliError(answer.error);
  for (const line of answer.lines) console.log(line);
}
