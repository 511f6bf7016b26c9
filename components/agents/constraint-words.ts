const operators: Record<string, string> = {
  equal_to: 'is',
  one_of: 'is one of',
  starting_with: 'starts with',
  below_path: 'lies below',
  at_most: 'is at most',
  at_least: 'is at least',
};

/** A condition on one argument of a call, in words. */
export function describeConstraint(constraint: {
  pointer: string;
  operator: string;
  value: unknown;
}): string {
  const value = Array.isArray(constraint.value) ? constraint.value.join(', ') : String(constraint.value);
  return `${constraint.pointer || 'the arguments'} ${operators[constraint.operator] ?? constraint.operator} ${value}`;
}
