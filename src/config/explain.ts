import { flow } from './sample.ts';
import { listSettings, type Setting } from './settings.ts';
import { mostSimilar } from './similar.ts';

/** What a setting means, or which settings are named like it. Indices may be given: `listeners[0].port`. */
export function explainSetting(key: string): { readonly text: string } | { readonly similar: readonly string[] } {
  const settings = listSettings();
  const wanted = key.replace(/\[\d*\]/g, '[]');
  const setting = settings.find(
    (candidate) => candidate.key === wanted || candidate.key === wanted.replace(/\[\]$/, ''),
  );
  if (setting === undefined)
    return {
      similar: mostSimilar(
        wanted,
        settings.map((candidate) => candidate.key),
      ),
    };
  const inside = settings.filter(
    (candidate) => candidate.key.startsWith(`${setting.key}.`) || candidate.key.startsWith(`${setting.key}[].`),
  );
  return {
    text: `${[...linesOf(setting), ...inside.map(({ key: name, description }) => `  ${name}  ${description}`)].join('\n')}\n`,
  };
}

function linesOf({ key, description, accepts, default: value, examples, isSection }: Setting): string[] {
  const lines = [key, ...(description === '' ? [] : [`  ${description}`])];
  if (accepts !== undefined) lines.push(`  accepts: ${accepts}`);
  if (value !== undefined && !isSection) lines.push(`  default: ${flow(value)}`);
  if (examples.length > 0) lines.push(`  example: ${flow(examples[0])}`);
  return lines;
}
