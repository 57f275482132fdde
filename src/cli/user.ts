/** `inglenook user …`: accounts, whether the server runs or not. */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { askRunningServer, type ControlAnswer, type ControlRequest, control, controlSocket } from '../control.ts';
import { openDomains } from '../homeserver.ts';
import { silentLogger } from '../telemetry/log.ts';
import { configFor } from './config-file.ts';
import { CliError } from './error.ts';

/** Where the password comes from, and which server it is about. */
export interface PasswordOptions {
  readonly config?: string;
  readonly passwordStdin?: boolean;
}

/** Makes an account. */
export async function createUser(name: string, options: PasswordOptions & { readonly admin?: boolean }): Promise<void> {
  const { password, isGenerated } = await readPassword(options);
  await run(options.config, { do: 'user.create', name, password, admin: options.admin ?? false });
  if (isGenerated) console.log(`Its password: ${password}`);
}

/** Sets a new password. */
export async function setPassword(
  name: string,
  options: PasswordOptions & { readonly logOut?: boolean },
): Promise<void> {
  const { password, isGenerated } = await readPassword(options);
  await run(options.config, { do: 'user.set-password', name, password, logOut: options.logOut ?? false });
  if (isGenerated) console.log(`The new password: ${password}`);
}

/** Prints all accounts, one a line. */
export async function listUsers(options: { readonly config?: string }): Promise<void> {
  await run(options.config, { do: 'user.list' });
}

async function run(configFile: string | undefined, wish: ControlRequest): Promise<void> {
  const { config } = await configFor(configFile);
  const socket = controlSocket(config.server.data_folder);
  const remote = socket === undefined ? undefined : await askRunningServer(socket, wish);
  const answer = remote ?? (await performHere());
  if ('error' in answer) throw new CliError(answer.error);
  for (const line of answer.lines) console.log(line);

  async function performHere(): Promise<ControlAnswer> {
    await using domains = await openDomains(config, { logger: silentLogger });
    // Awaited here: the domains close when this function returns.
    return await control(domains, wish);
  }
}

/** From standard input with --password-stdin, else asked for; made up where there is nobody to ask. */
async function readPassword({ passwordStdin = false }: PasswordOptions) {
  if (passwordStdin) return { password: (await text(process.stdin)).replace(/\r?\n$/, ''), isGenerated: false };
  if (!process.stdin.isTTY) return { password: randomBytes(12).toString('base64url'), isGenerated: true };
  const password = await ask('Password (empty: one is made up): ');
  if (password === '') return { password: randomBytes(12).toString('base64url'), isGenerated: true };
  if (password !== (await ask('Again: '))) throw new CliError('The two passwords differ');
  return { password, isGenerated: false };
}

/** Asks without showing what is typed. */
async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
