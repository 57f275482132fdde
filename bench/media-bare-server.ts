/** The bar for bench/media.ts: a bare node:http server that pipes a file out, and writes and fsyncs a body. One argument: a folder. */
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const folder = process.argv[2] ?? '.';
let uploadCount = 0;

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'GET') {
      const file = path.join(folder, path.basename(request.url ?? ''));
      const { size } = await stat(file);
      response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' });
      createReadStream(file).pipe(response);
      return;
    }
    uploadCount++;
    // `flush`: an fsync before it closes. New files, as ours are: to overwrite old ones is faster on some disks.
    await pipeline(request, createWriteStream(path.join(folder, `upload-${uploadCount}`), { flush: true }));
    response.end('{}');
  } catch (error) {
    response.destroy(error instanceof Error ? error : undefined);
  }
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) console.log(address.port);
});
