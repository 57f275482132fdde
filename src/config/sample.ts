/** `config.sample.yaml`: every setting, commented out, with its meaning and default. */
import { listSettings, type Setting } from './settings.ts';

const LINE_WIDTH = 100;

const HEADER = `# Every setting of Inglenook, with its default. All of them may be left out.
# Generated from src/config by \`npm run docs\`; docs/config.md says the same as a table.
#
# Copy this file to config.yaml and take the # away from what you change, and from the section above it.
# Durations: 500ms, 30s, 5m, 12h, 7d, 2w. Sizes: 64K, 50M, 2G. An unknown or wrong setting stops the start.
`;

/** The text of the sample. */
export function sampleYaml(): string {
  const blocks = [HEADER];
  for (const setting of listSettings()) {
    // Entries of lists are shown by the default of their list.
    if (!setting.key.includes('[]')) blocks.push(blockOf(setting));
  }
  return `${blocks.join('\n')}`;
}

function blockOf(setting: Setting): string {
  const indent = '  '.repeat(setting.depth);
  const name = setting.key.split('.').at(-1) ?? '';
  const about = describe(setting).flatMap((text) => wrap(text, LINE_WIDTH - indent.length));
  const lines = [
    ...about.map((text) => `${indent}## ${text}`),
    ...valueLines(setting, name).map((text) => `${indent}#${text}`),
  ];
  return `${lines.join('\n')}\n`;
}

function describe({ description, accepts, isSection, examples }: Setting): string[] {
  const values = isSection || accepts === undefined || accepts === 'text' ? [] : [`Accepts: ${accepts}.`];
  const example = examples[0] === undefined ? [] : [`Example: ${flow(examples[0])}`];
  return [description, ...values, ...example].filter((text) => text !== '');
}

function valueLines(setting: Setting, name: string): string[] {
  if (Array.isArray(setting.default) && setting.isSection && setting.default.length > 0) {
    return [`${name}:`, ...setting.default.flatMap(listEntry)];
  }
  if (setting.isSection && !Array.isArray(setting.default)) return [`${name}:`];
  // Without a value a key counts as not there.
  return [setting.default === undefined ? `${name}:` : `${name}: ${flow(setting.default)}`];
}

function listEntry(entry: unknown): string[] {
  return Object.entries(entry as object).map(
    ([key, value], index) => `${index === 0 ? '  - ' : '    '}${key}: ${flow(value)}`,
  );
}

/** A value as YAML on one line. */
export function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key}: ${flow(inner)}`)
      .join(', ')} }`;
  }
  const text = String(value);
  const isPlain =
    typeof value !== 'string' || /^[A-Za-z./][\w./ -]*$/.test(text) || /^\d+(ms|[smhdwBKMGT])$/.test(text);
  return isPlain && text !== '' ? text : `'${text}'`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
