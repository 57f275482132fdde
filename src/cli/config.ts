/** `inglenook config …`: looks at the configuration without starting anything. */
import { explainSetting } from '../config/explain.ts';
import { jsonSchemaText } from '../config/json-schema.ts';
import { sampleYaml } from '../config/sample.ts';
import { configFor } from './config-file.ts';
import { CliError } from './error.ts';

/** Says that a configuration is good; `ConfigError` ends the process with 2 where it isn't. */
export async function check(file: string | undefined): Promise<void> {
  const { file: found } = await configFor(file);
  console.log(found === undefined ? 'There is no configuration file: everything is default.' : `${found} is good.`);
}

/** Prints a configuration file with every setting. */
export function sample(): void {
  process.stdout.write(sampleYaml());
}

/** Prints the JSON schema. */
export function schema(): void {
  process.stdout.write(jsonSchemaText());
}

/** Prints what a setting means. */
export function explain(key: string): void {
  const found = explainSetting(key);
  if ('text' in found) process.stdout.write(found.text);
  else
    throw new CliError(
      `${key} is not a setting${found.similar.length > 0 ? `; did you mean ${found.similar.join(' or ')}?` : ''}`,
    );
}
