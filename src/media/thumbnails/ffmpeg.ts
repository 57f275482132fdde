/** Gets a picture out of a film or a piece of music with ffmpeg, which is held on a short lead. */
import { spawn } from 'node:child_process';
import path from 'node:path';

export interface CoverRequest {
  /** The program: a name to look for, or a path. */
  readonly ffmpeg: string;
  readonly input: string;
  /** Where the picture goes, as JPEG. */
  readonly output: string;
  readonly timeoutMs: number;
  readonly pixelsMax: number;
}

/** `missing`: there is no such program here. */
export type CoverOutcome = 'made' | 'none' | 'missing';

/** Containers that can't lead elsewhere: no playlists, no lists of files. */
const FORMATS = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,mp3,flac,wav,aac,avi,mpegts,mpeg,flv';
const PLACES = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';
const SIDE_PIXELS_MAX = 1600;
const ALLOC_BYTES_MAX = 512 * 1024 * 1024;
/** Address space in KiB, processor time in seconds, written files in blocks. Where a system knows one of them not, it goes without. */
const LIMITS = 'ulimit -v 3000000; ulimit -t 60; ulimit -f 65536; ulimit -c 0';
const NOT_FOUND = new Set([126, 127]);

/** The first frame of a film, or the cover that music carries. Never asks the network, and ends in time. */
export function makeCover({ ffmpeg, input, output, timeoutMs, pixelsMax }: CoverRequest): Promise<CoverOutcome> {
  const args = [
    ...['-nostdin', '-hide_banner', '-loglevel', 'quiet', '-y', '-max_alloc', String(ALLOC_BYTES_MAX)],
    ...['-protocol_whitelist', 'file,pipe', '-format_whitelist', FORMATS],
    ...['-threads', '1', '-max_pixels', String(pixelsMax), '-i', `file:${input}`],
    ...['-map', '0:v:0', '-frames:v', '1', '-vf', scaleTo(SIDE_PIXELS_MAX), '-threads', '1'],
    ...['-c:v', 'mjpeg', '-q:v', '3', '-map_metadata', '-1', '-f', 'image2', '-update', '1', `file:${output}`],
  ];
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', `${LIMITS}; exec "$0" "$@"`, ffmpeg, ...args], {
      cwd: path.dirname(output),
      // None of the server's secrets.
      env: { PATH: PLACES },
      stdio: 'ignore',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    child.unref();
    child.once('error', () => resolve('missing'));
    child.once('exit', (code) => {
      resolve(code === 0 ? 'made' : code !== null && NOT_FOUND.has(code) ? 'missing' : 'none');
    });
  });
}

/** As large as it is, but no side longer than this. */
function scaleTo(side: number): string {
  return `scale=w='min(${side},iw)':h='min(${side},ih)':force_original_aspect_ratio=decrease,format=yuvj420p`;
}
