import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openKept } from '../../server/store/kept-sqlite.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const collected: string[] = []
const registry = new FinalizationRegistry<string>((name) => collected.push(name))

function openAndForget(): void {
  const sqlite = openKept(':memory:')
  registry.register(sqlite, 'the database')
  registry.register(sqlite.prepare('select 1'), 'a statement')
  registry.register({}, 'something else')
  sqlite.close()
}

test('neither a database nor a statement is ever collected', async () => {
  openAndForget()
  while (!collected.includes('something else')) {
    collectGarbage()
    await sleep(1)
  }
  assert.equal(collected, ['something else'])
})

test.run()
