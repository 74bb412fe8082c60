# Compiler settings and the functions that turn folders into libraries and tests.

if(NOT EMSCRIPTEN)  # one thread, unless a page asks for more
  find_package(Threads REQUIRED)
endif()

add_library(moka_flags INTERFACE)
target_include_directories(moka_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
# No fused multiply-add behind our back (results would differ between targets), no errno from math functions.
target_compile_options(moka_flags INTERFACE -Wall -Wextra -ffp-contract=off -fno-math-errno
                       $<$<BOOL:${MOKA_WERROR}>:-Werror>)
set(MOKA_LIBRARY_INCLUDE "" CACHE PATH "Where the headers of Highway and protozero are, if not where the compiler looks")
if(MOKA_LIBRARY_INCLUDE)
  target_include_directories(moka_flags SYSTEM INTERFACE ${MOKA_LIBRARY_INCLUDE})
endif()
if(EMSCRIPTEN)
  target_compile_options(moka_flags INTERFACE -msimd128 -fexceptions)
  target_link_options(moka_flags INTERFACE -fexceptions)
endif()
if(MOKA_REFERENCE)
  target_compile_definitions(moka_flags INTERFACE MOKA_REFERENCE=1)
endif()
if(MOKA_SANITIZE)
  target_compile_options(moka_flags INTERFACE -fsanitize=${MOKA_SANITIZE} -fno-sanitize-recover=all -g1)
  target_link_options(moka_flags INTERFACE -fsanitize=${MOKA_SANITIZE})
endif()

# moka_module(NAME [DEPENDS module...] [SUBFOLDERS folder...]): every *.cc of the folder, as the object library moka_NAME.
function(moka_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;SUBFOLDERS" ${ARGN})
  set(patterns ${name}/*.cc)
  foreach(folder IN LISTS ARG_SUBFOLDERS)
    list(APPEND patterns ${name}/${folder}/*.cc)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${patterns})
  if(sources)
    add_library(moka_${name} OBJECT ${sources})
    target_link_libraries(moka_${name} PUBLIC moka_flags)
  else()
    add_library(moka_${name} INTERFACE)
    target_link_libraries(moka_${name} INTERFACE moka_flags)
  endif()
  set_property(GLOBAL APPEND PROPERTY MOKA_MODULES moka_${name})
endfunction()

# The library that products link: all modules, and the tables of the devices and picture formats that were built in.
function(moka_library)
  set(MOKA_DEVICE_DECLARATIONS "")
  set(MOKA_DEVICE_ROWS "")
  foreach(device IN LISTS MOKA_DEVICES)
    string(APPEND MOKA_DEVICE_DECLARATIONS
           "namespace ${device} {\nstd::vector<std::unique_ptr<Device>> Open(std::vector<std::string>* notes);\n}\n")
    string(APPEND MOKA_DEVICE_ROWS "    {\"${device}\", &${device}::Open},\n")
  endforeach()
  configure_file(cmake/devices.cc.in ${PROJECT_BINARY_DIR}/generated/devices.cc @ONLY)
  get_property(modules GLOBAL PROPERTY MOKA_MODULES)
  add_library(moka STATIC ${PROJECT_BINARY_DIR}/generated/devices.cc ${PROJECT_BINARY_DIR}/generated/image_formats.cc)
  add_library(moka::moka ALIAS moka)
  # Of how moka is compiled nothing reaches a product.
  list(TRANSFORM modules REPLACE "(.+)" "$<BUILD_INTERFACE:\\1>")
  target_link_libraries(moka PRIVATE $<BUILD_INTERFACE:moka_flags> ${modules}
                             PUBLIC $<TARGET_NAME_IF_EXISTS:Threads::Threads> ${CMAKE_DL_LIBS})
  target_include_directories(moka PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  # Highway's detection of SIMD targets at run time; builds for one target (WebAssembly) do without.
  find_library(MOKA_HWY_LIBRARY hwy)
  set(libraries ${MOKA_IMAGE_LIBRARIES})
  if(MOKA_HWY_LIBRARY)
    list(APPEND libraries ${MOKA_HWY_LIBRARY})
  endif()
  # By their places here, by their names where moka is installed.
  foreach(path IN LISTS libraries)
    get_filename_component(name ${path} NAME_WE)
    string(REGEX REPLACE "^lib" "" name ${name})
    target_link_libraries(moka PUBLIC $<BUILD_INTERFACE:${path}> $<INSTALL_INTERFACE:${name}>)
    set_property(TARGET moka APPEND PROPERTY MOKA_LINKED_NAMES ${name})
  endforeach()
endfunction()

# moka_test(AREA [LIBRARIES lib...] [SHARDS n]): tests/AREA/*.cc as one program and one ctest entry, AREA; or as n entries,
# AREA_1 to AREA_n, with a part of the tests each.
function(moka_test area)
  cmake_parse_arguments(ARG "" "SHARDS" "LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${area}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${area} ${sources})
  target_link_libraries(test_${area} PRIVATE moka_flags moka GTest::gtest_main ${ARG_LIBRARIES})
  target_compile_definitions(test_${area} PRIVATE MOKA_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             MOKA_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(NOT ARG_SHARDS)
    add_test(NAME ${area} COMMAND test_${area})
    return()
  endif()
  foreach(shard RANGE 1 ${ARG_SHARDS})
    math(EXPR index "${shard} - 1")
    add_test(NAME ${area}_${shard} COMMAND test_${area})
    set_tests_properties(${area}_${shard} PROPERTIES
                         ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${index}" COST 1000)
  endforeach()
endfunction()
