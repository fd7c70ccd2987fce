const began = Date.now()
const bold = (text: string): string => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text)

/** Prints what happens, each line with the seconds since the beginning. */
export const narrate = {
  title(text: string): void {
    console.log(`\n${bold(text)}`)
  },
  say(who: string, text: string): void {
    const seconds = ((Date.now() - began) / 1000).toFixed(1).padStart(5)
    console.log(`${seconds} s  ${bold(who.padEnd(4))} ${text}`)
  },
  row(cells: string[]): void {
    console.log(`  ${cells.join('  ')}`)
  },
}
