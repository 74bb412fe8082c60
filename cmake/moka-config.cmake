# Found by find_package(moka): the library is moka::moka.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/moka-targets.cmake)
