/** `inglenook room …`: what lies in rooms, whether the server runs or not. */
import { askRunningServer, type ControlRequest, control, controlSocket } from '../control.ts';
import { openDomains } from '../homeserver.ts';
import { silentLogger } from '../telemetry/log.ts';
import { configFor } from './config-file.ts';
import { CliError } from './error.ts';

/** Prints how the state of a room, or that before one of its events, came about. */
export async function explainState(
  room: string,
  event: string | undefined,
  options: { readonly config?: string },
): Promise<void> {
  const wish: ControlRequest = { do: 'room.explain-state', room, ...(event === undefined ? {} : { event }) };
  const { config } = await configFor(options.config);
  const socket = controlSocket(config.server.data_folder);
  let answer = socket === undefined ? undefined : await askRunningServer(socket, wish);
  if (answer === undefined) {
    await using domains = await openDomains(config, { logger: silentLogger });
    answer = await control(domains, wish);
  }
  if ('error' in answer) throw new CliError(answer.error);
  for (const line of answer.lines) console.log(line);
}
