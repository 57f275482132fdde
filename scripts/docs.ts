// `npm run docs`: writes the files that are generated from the code. src/generated-files.test.ts keeps them fresh.
import { writeFileSync } from 'node:fs';
import { generatedFiles } from '../src/generated-files.ts';

for (const [file, text] of await generatedFiles()) writeFileSync(file, text);
