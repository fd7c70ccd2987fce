import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openDatabase } from '../../server/store/database.js'
import { migrate } from '../../server/store/migrate.js'
import { type CommandFolder, commandFolder, run } from '../support/command.js'

interface Fault {
  readonly what: string
  /** Brings the fault about, and returns the settings that meet it. */
  prepare(folder: CommandFolder): Promise<NodeJS.ProcessEnv> | NodeJS.ProcessEnv
  readonly says: RegExp
  readonly commands: string[][]
}

const SERVE = ['serve']
const MIGRATE = ['migrate']
const GRANT = ['grant', '--seller', 'a', '--credits', '1', '--key', 'k']
const MONITOR = ['monitor_credits', '--run-once']
const AUDIT = ['audit']

const listening = createServer()
await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
const usedPort = String((listening.address() as AddressInfo).port)
test.after(() => {
  listening.close()
})

function fileIn({ path }: CommandFolder, name: string, content: string): string {
  const file = join(path, name)
  writeFileSync(file, content)
  return file
}

const faults: Fault[] = [
  {
    what: 'a port that is in use',
    prepare: () => ({ PORT: usedPort }),
    says: new RegExp(
      `^tallylight: Cannot listen on 127.0.0.1:${usedPort}: the port is in use\\. .*set PORT to another`,
    ),
    commands: [SERVE],
  },
  {
    what: 'an address that this machine has not',
    prepare: () => ({ HOST: '192.0.2.1' }),
    says: /^tallylight: Cannot listen on 192\.0\.2\.1:0: this machine has no such address\. Set HOST/,
    commands: [SERVE],
  },
  {
    what: 'a database below a file',
    prepare: (folder) => ({ DATABASE_URL: `sqlite:${fileIn(folder, 'file', 'x')}/below/test.db` }),
    says: /^tallylight: The database .*\/file\/below\/test\.db cannot be opened and written: .*DATABASE_URL=sqlite:PATH/,
    commands: [SERVE, MIGRATE],
  },
  {
    what: 'a database that is a folder',
    prepare: (folder) => {
      mkdirSync(join(folder.path, 'folder.db'))
      return { DATABASE_URL: `sqlite:${join(folder.path, 'folder.db')}` }
    },
    says: /^tallylight: The database .*folder\.db cannot be opened and written: .*DATABASE_URL=sqlite:PATH/,
    commands: [SERVE],
  },
  {
    what: 'a file that is no database',
    prepare: (folder) => ({ DATABASE_URL: `sqlite:${fileIn(folder, 'notes.txt', 'not a database\n'.repeat(200))}` }),
    says: /^tallylight: The database .*notes\.txt cannot be opened and written: file is not a database\. /,
    commands: [SERVE, GRANT],
  },
  {
    what: 'the database of a newer version',
    prepare: async (folder) => {
      const { db, close } = openDatabase({ kind: 'sqlite', file: folder.file })
      await migrate(db)
      await sql`insert into schema_migrations (name, timestamp) values ('9999-later', '2099-01-01')`.execute(db)
      await close()
      return {}
    },
    says: /^tallylight: The database was written by a newer version of Tallylight \(it has 9999-later\)\. Install that/,
    commands: [SERVE, MIGRATE, MONITOR, AUDIT],
  },
]

for (const { what, prepare, says, commands } of faults) {
  test(`C: ${what} is told in one line that says what to do`, async () => {
    const folder = commandFolder()
    try {
      const env = await prepare(folder)
      await Promise.all(
        commands.map(async (args) => {
          const { code, out, err } = await run(folder, args, { LOG_LEVEL: 'warn', ...env })
          assert.equal([code, out], [1, ''], args[0])
          assert.match(err, /^[^\n]+\n$/, args[0])
          assert.match(err, says, args[0])
        }),
      )
    } finally {
      folder.remove()
    }
  })
}

test('C: a file that is no database is left as it is', async () => {
  const folder = commandFolder()
  try {
    const content = 'dear diary\n'.repeat(500)
    const file = fileIn(folder, 'diary.txt', content)
    await run(folder, MIGRATE, { DATABASE_URL: `sqlite:${file}` })
    assert.is(readFileSync(file, 'utf8'), content)
  } finally {
    folder.remove()
  }
})

test.run()
