// The part of the verifier that knows chains (ops/chain.h).
#ifndef MOKA_GRAPH_VERIFY_CHAIN_H_
#define MOKA_GRAPH_VERIFY_CHAIN_H_

#include "graph/plan.h"

namespace moka {

// Of the chain that starts with step `first` of a segment that ends before step `end`, if one does: replays each strip,
// once made from nothing and once from the strip before, over the rings, and checks that
// - every row that a step reads of a ring was written there and not overwritten since;
// - after both, the rings hold the rows that the chain promises to the next strip;
// - the last result is written once, whole; rings are disjoint, within ring_bytes, and no step outside uses them.
// Where no chain starts: that the step, which is then no member of one, uses no ring.
Status VerifyChain(const Plan& plan, int first, int end);

}  // namespace moka

#endif  // MOKA_GRAPH_VERIFY_CHAIN_H_
