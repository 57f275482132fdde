/**
 * A process of its own in which pictures are read and shrunk: what crashes or hangs on a malicious picture, or needs much
 * memory for a large one, is this process and not the server. Started by `PictureProcesses`; one task at a time.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { stripMetadata } from '../metadata/strip.ts';
import type { PictureAnswer, PictureTask, Probed } from './messages.ts';

// Before the first other thread starts, which inherits it: the server comes first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const { default: sharp } = await import('sharp');

/** Nothing that could fetch other files or is seldom maintained: no SVG, PDF, TIFF variants of ImageMagick. */
const LOADERS = [
  'VipsForeignLoadJpeg',
  'VipsForeignLoadPng',
  'VipsForeignLoadWebp',
  'VipsForeignLoadNsgif',
  'VipsForeignLoadHeif',
];
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: LOADERS });
sharp.cache(false);
sharp.concurrency(1);

const FORMATS: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp', 'gif', 'heif']);
const JPEG_QUALITY = 80;
const WEBP_QUALITY = 75;

process.on('message', (task: PictureTask) => {
  perform(task).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

async function perform(task: PictureTask): Promise<PictureAnswer> {
  if (task.do === 'probe') return { probed: await probe(task.input) };
  if (task.do === 'strip') return { isStripped: await strip(task) };
  return { contentType: await make(task) };
}

/** Writes the picture without its metadata, where it had any. */
async function strip({ input, output }: Extract<PictureTask, { do: 'strip' }>): Promise<boolean> {
  const original = await readFile(input);
  const stripped = stripMetadata(original);
  if (stripped === undefined || stripped.equals(original)) return false;
  await writeFile(output, stripped, { mode: 0o600 });
  return true;
}

async function probe(input: string): Promise<Probed> {
  try {
    const { format, autoOrient, pages = 1 } = await sharp(input, { limitInputPixels: false }).metadata();
    if (!FORMATS.has(format)) return NO_PICTURE;
    return { format, width: autoOrient.width, height: autoOrient.height, frameCount: pages };
  } catch {
    return NO_PICTURE;
  }
}

const NO_PICTURE: Probed = { format: undefined, width: 0, height: 0, frameCount: 0 };

async function make(task: Extract<PictureTask, { do: 'make' }>): Promise<string> {
  const { input, output, width, height, method, isAnimated, pixelsMax } = task;
  // A truncated picture still gives what is there of it.
  const source = sharp(input, { limitInputPixels: pixelsMax, animated: isAnimated, failOn: 'none' });
  const { hasAlpha } = await source.metadata();
  const small = source
    .autoOrient()
    .resize({ width, height, fit: method === 'crop' ? 'cover' : 'fill', withoutEnlargement: true });
  if (isAnimated) {
    await small.webp({ quality: WEBP_QUALITY, effort: 2 }).toFile(output);
    return 'image/webp';
  }
  if (hasAlpha) {
    await small.png({ compressionLevel: 6 }).toFile(output);
    return 'image/png';
  }
  await small.jpeg({ quality: JPEG_QUALITY }).toFile(output);
  return 'image/jpeg';
}
