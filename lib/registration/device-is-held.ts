/** What is said of a device that nobody has let in where it is: on its page, and to whoever presses on. */
export const deviceIsHeld =
  'This device is not known to be in the network you are in, and no approver has let it in where it is. Open this page where the device is; or remove its stored sign-in and start again, so that an approver sees both addresses.';
