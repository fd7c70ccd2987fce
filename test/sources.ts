import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface Source {
  /** From the project's root, with slashes. */
  readonly path: string
  readonly text: string
}

export function readProjectFile(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The TypeScript files below some folders of the project. */
export function sourcesIn(...folders: readonly string[]): Source[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .map((path) => path.replaceAll(sep, '/'))
    .filter((path) => path.endsWith('.ts') && !/(^|\/)(dist|node_modules)\//.test(path))
    .sort()
    .map((path) => ({ path, text: readProjectFile(path) }))
}

/** Strings, which may look like comments, and comments. */
const STRING_OR_COMMENT = /(['"])(?:\\.|(?!\1)[^\\\n])*\1|`(?:\\.|[^\\`])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g

const isComment = (token: string) => token.startsWith('/')

export function commentsOf(text: string): string[] {
  return (text.match(STRING_OR_COMMENT) ?? []).filter(isComment)
}

export function withoutComments(text: string): string {
  return text.replace(STRING_OR_COMMENT, (token) => (isComment(token) ? '' : token))
}
