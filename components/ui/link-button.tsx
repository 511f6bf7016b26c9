import Link from 'next/link';
import type { ComponentProps, ReactNode } from 'react';
import { type ButtonVariants, buttonVariants } from './button-variants.ts';
import { cn } from './cn.ts';

/** A link that looks like a button, for navigation. */
export function LinkButton({
  variant,
  size,
  shape,
  icon,
  className,
  children,
  ...props
}: ComponentProps<typeof Link> & ButtonVariants & { icon?: ReactNode }) {
  return (
    <Link className={cn(buttonVariants({ variant, size, shape }), className)} {...props}>
      {icon}
      {children}
    </Link>
  );
}

const textLink =
  'rounded-xs text-accent underline decoration-transparent underline-offset-2 transition-colors hover:decoration-current in-[p]:decoration-accent/40 in-[p]:hover:decoration-current';

/** A link in running text, within the console. */
export function TextLink({ className, ...props }: ComponentProps<typeof Link>) {
  return <Link className={cn(textLink, className)} {...props} />;
}

/**
 * A link that leaves the console. Anything but an https address is shown as plain text, because such addresses
 * come from client metadata and tool definitions.
 */
export function ExternalTextLink({
  href,
  children,
  className,
}: {
  href: string;
  children?: ReactNode;
  className?: string;
}) {
  if (!/^https:\/\//i.test(href))
    return <span className={cn('break-all', className)}>{children ?? href}</span>;
  return (
    <a
      href={href}
      target="_blank"
      rel="noopener noreferrer nofollow"
      className={cn(textLink, 'break-all', className)}
    >
      {children ?? href}
    </a>
  );
}
