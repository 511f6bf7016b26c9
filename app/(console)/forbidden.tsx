// Inside the frame, so that the navigation stays usable.
export { default, metadata } from '../forbidden.tsx';
