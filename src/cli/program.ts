/** The commands of `inglenook`. Each is loaded when it is called. */

import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/problems.ts';
import { VERSION } from '../version.ts';
import type { VerifyMediaOptions } from './media.ts';
import type { PasswordOptions } from './user.ts';

/** The process ends with this where the command line or the configuration is wrong, and nothing was started. */
const EXIT_USAGE = 2;

interface ConfigOption {
  readonly config?: string;
}

const CONFIG_OPTION = [
  '-c, --config <file>',
  'the configuration file (YAML); without it everything is default',
] as const;

const PASSWORD_OPTION = ['--password-stdin', 'read the password from standard input'] as const;

/** Runs one command line, without the program's name. Sets the process's exit code. */
export async function runCli(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync([...argv], { from: 'user' });
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
}

function reportFailure(error: unknown): number {
  // Commander has already said what is wrong.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof ConfigError) {
    console.error(error.message);
    return EXIT_USAGE;
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // An expected failure of the machine (a port in use, a missing file) needs no stack.
  console.error(error instanceof Error && code === undefined && !isSpoken(error) ? error.stack : messageOf(error));
  return 1;
}

/** Errors with a message for people, by name. */
function isSpoken(error: Error): boolean {
  return ['StorageRefusedError', 'StorageUnavailableError', 'CliError'].includes(error.name);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function program(): Command {
  const root = new Command('inglenook')
    .description('A Matrix homeserver')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)');

  root
    .command('start', { isDefault: true })
    .description('run the server')
    .option(...CONFIG_OPTION)
    .action(async (options: ConfigOption) => (await import('./start.ts')).start(options.config));

  const config = root.command('config').description('look at the configuration');
  config
    .command('check')
    .description('say what is wrong with a configuration file')
    .argument('[file]', 'the file')
    .option(...CONFIG_OPTION)
    .action(async (file: string | undefined, options: ConfigOption) =>
      (await import('./config.ts')).check(file ?? options.config),
    );
  config
    .command('sample')
    .description('print a configuration file with every setting and its default')
    .action(async () => (await import('./config.ts')).sample());
  config
    .command('schema')
    .description('print the JSON schema of the configuration, for editors')
    .action(async () => (await import('./config.ts')).schema());
  config
    .command('explain')
    .description('what a setting means, what it accepts, and its default')
    .argument('<key>', 'such as rate_limits.message')
    .action(async (key: string) => (await import('./config.ts')).explain(key));

  const user = root.command('user').description('look after accounts, whether the server runs or not');
  user
    .command('create')
    .description('make an account')
    .argument('<name>', 'the part of the user id before the colon')
    .option('--admin', 'an administrator')
    .option(...PASSWORD_OPTION)
    .option(...CONFIG_OPTION)
    .action(async (name: string, options: PasswordOptions & { admin?: boolean }) =>
      (await import('./user.ts')).createUser(name, options),
    );
  user
    .command('set-password')
    .description('set a new password')
    .argument('<name>', 'the user')
    .option('--log-out', 'end the sessions of the user')
    .option(...PASSWORD_OPTION)
    .option(...CONFIG_OPTION)
    .action(async (name: string, options: PasswordOptions & { logOut?: boolean }) =>
      (await import('./user.ts')).setPassword(name, options),
    );
  user
    .command('list')
    .description('print all accounts')
    .option(...CONFIG_OPTION)
    .action(async (options: ConfigOption) => (await import('./user.ts')).listUsers(options));

  const media = root.command('media').description('look after files, whether the server runs or not');
  media
    .command('verify')
    .description('find files without rows and rows without files, and set it right')
    .option('--dry-run', 'only say what is wrong')
    .option('--hash', 'read every file too, to find damaged ones; goes on where it was broken off')
    .option(...CONFIG_OPTION)
    .action(async (options: VerifyMediaOptions) => (await import('./media.ts')).verifyMedia(options));

  media
    .command('move')
    .description('bring files that lie elsewhere to the store that the configuration names')
    .option(...CONFIG_OPTION)
    .action(async (options: ConfigOption) => (await import('./media.ts')).moveMedia(options));

  root
    .command('restored')
    .description('say that the data come from a copy or a backup: before the first start on them')
    .option(...CONFIG_OPTION)
    .action(async (options: ConfigOption) => (await import('./restored.ts')).restored(options));

  const room = root.command('room').description('look into rooms, whether the server runs or not');
  room
    .command('explain-state')
    .description('how the state of a room came about: what was in conflict, what won and by which rule')
    .argument('<room>', 'the id of the room')
    .argument('[event]', 'the state before this event; without it, the current state')
    .option(...CONFIG_OPTION)
    .action(async (roomId: string, event: string | undefined, options: ConfigOption) =>
      (await import('./room.ts')).explainState(roomId, event, options),
    );

  root
    .command('generate-key')
    .description('make a signing key')
    .argument('[file]', 'where to; standard output without it')
    .action(async (file: string | undefined) => (await import('./generate-key.ts')).generateKey(file));
  return root;
}
