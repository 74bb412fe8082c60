// Which moka this is. Until 1.0 the API may change with the minor number.
#ifndef MOKA_VERSION_H_
#define MOKA_VERSION_H_

#define MOKA_VERSION_MAJOR 0
#define MOKA_VERSION_MINOR 1
#define MOKA_VERSION_PATCH 0

#endif  // MOKA_VERSION_H_
