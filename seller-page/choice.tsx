import { useId } from 'preact/hooks'

export interface Option<T> {
  readonly value: T
  readonly label: string
}

interface Props<T> {
  readonly legend: string
  readonly of: readonly Option<T>[]
  readonly chosen: T
  readonly choose: (value: T) => void
}

/** One of a few, as radio buttons. */
export function Choice<T extends string | number>({ legend, of, chosen, choose }: Props<T>) {
  const name = useId()
  return (
    <fieldset>
      <legend>{legend}</legend>
      {of.map(({ value, label }) => (
        <label key={value}>
          <input type="radio" name={name} checked={chosen === value} onChange={() => choose(value)} />
          {label}
        </label>
      ))}
    </fieldset>
  )
}
