/** `docs/config.md`: the settings as tables. */
import { flow } from './sample.ts';
import { listSettings, type Setting } from './settings.ts';

/** The text of the page. */
export function configMarkdown(): string {
  const parts = [
    '# Configuration',
    '',
    'Generated from `src/config` by `npm run docs`. A ready file with everything in it: [config.sample.yaml](../config.sample.yaml).',
    'Every setting may be left out. An unknown or wrong one stops the start, with its line and what is accepted.',
    'Durations: `500ms`, `30s`, `5m`, `12h`, `7d`, `2w`. Sizes: `64K`, `50M`, `2G`. Relative paths begin at the folder of the file.',
  ];
  for (const setting of listSettings()) {
    if (setting.depth === 0) parts.push('', `## ${setting.key}`, '', setting.description, '', ...TABLE_HEAD);
    else if (!setting.isSection) parts.push(row(setting));
    if (setting.depth === 0 && !setting.isSection) parts.push(row(setting));
  }
  return `${parts.join('\n')}\n`;
}

const TABLE_HEAD = ['| setting | meaning | accepts | default |', '| --- | --- | --- | --- |'];

function row({ key, description, accepts, default: value, examples }: Setting): string {
  const example = examples[0] === undefined ? '' : ` Example: \`${flow(examples[0])}\`.`;
  const shown = value === undefined ? '' : `\`${flow(value)}\``;
  return `| ${[`\`${key}\``, description + example, accepts ?? '', shown].map(cell).join(' | ')} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
