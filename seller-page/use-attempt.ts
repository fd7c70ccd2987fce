import { useRef, useState } from 'preact/hooks'
import { complaint } from './words.js'

/** Runs one thing at a time that may go wrong, so that a double click does it once; keeps what to tell about it. */
export function useAttempt() {
  const [error, setError] = useState('')
  const isBusy = useRef(false)

  async function attempt(act: () => Promise<unknown>): Promise<void> {
    if (isBusy.current) return
    isBusy.current = true
    setError('')
    try {
      await act()
    } catch (thrown) {
      setError(complaint(thrown))
    }
    isBusy.current = false
  }

  return { attempt, error }
}
