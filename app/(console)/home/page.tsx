import { redirect } from 'next/navigation';

/** Home is the console's root; this address is what people type. */
export default function HomeAlias() {
  redirect('/');
}
