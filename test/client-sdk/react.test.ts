import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { useCountdown, useCreditMeter } from '../../client-sdk/src/react.js'

// What needs a browser, strict mode above all, is in browser.test.ts.

test('React: on a server it renders, and stays idle', () => {
  function Page() {
    const { snapshot, meter } = useCreditMeter({
      url: 'http://127.0.0.1:9',
      livestreamId: 'x',
      getToken: () => 'never asked for',
    })
    const left = useCountdown(snapshot.next_deduction_at, meter)
    return createElement('p', null, snapshot.state, ' ', String(left))
  }
  assert.is(renderToString(createElement(Page)), '<p>idle<!-- --> <!-- -->null</p>')
})

test.run()
