import { jsonSchema } from './settings.ts';

/** The JSON schema of a configuration file, as it is printed. */
export function jsonSchemaText(): string {
  return `${JSON.stringify({ title: 'Inglenook configuration', ...jsonSchema() }, null, 2)}\n`;
}
