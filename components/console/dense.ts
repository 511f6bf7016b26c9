import { createContext } from 'react';

/** True inside lists, where times and ids are not stops of their own for the Tab key: the row is. */
export const DenseContext = createContext(false);
