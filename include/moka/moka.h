// moka: neural networks inside products. Include this and link the library.
#ifndef MOKA_MOKA_H_
#define MOKA_MOKA_H_

#include "moka/custom_op.h"
#include "moka/datum.h"
#include "moka/device.h"
#include "moka/inspect.h"
#include "moka/model.h"
#include "moka/session.h"
#include "moka/status.h"
#include "moka/tensor.h"
#include "moka/version.h"

#endif  // MOKA_MOKA_H_
