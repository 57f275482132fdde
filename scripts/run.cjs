#!/usr/bin/env node
// Where `npm start`, `npm test` and the `inglenook` command begin. Old syntax, so that an old Node can say that it is old.
'use strict';

var major = Number(process.versions.node.split('.')[0]);
if (major < 20) {
  console.error('Node 20 or newer is needed, this is ' + process.versions.node + '. See https://nodejs.org');
  process.exit(1);
}
require('./bootstrap.cjs').run(process.argv.slice(2));
