interface Props {
  readonly value: number;
  readonly of: number;
}

/** How full something is. Hidden from screen readers; the numbers are beside it. */
export function Bar({ value, of }: Props) {
  const width = of === 0 ? 0 : Math.min(100, (value / of) * 100);
  return (
    <svg className="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect className="track" width="100" height="4" />
      <rect className="fill" width={width} height="4" />
    </svg>
  );
}
