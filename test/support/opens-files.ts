/**
 * Opens new databases in a folder, each at its instant, and ends with what went wrong.
 * `node --import tsx test/support/opens-files.ts FOLDER COUNT FIRST_AT EVERY_MS`
 */
import { join } from 'node:path'
import { openSqlite } from '../../server/store/sqlite.js'

const [, , folder = '', ...numbers] = process.argv
const [count = 0, firstAt = 0, everyMs = 0] = numbers.map(Number)
for (let nth = 0; nth < count; nth += 1) {
  while (Date.now() < firstAt + nth * everyMs);
  await openSqlite(join(folder, `${nth}.db`)).close()
}
