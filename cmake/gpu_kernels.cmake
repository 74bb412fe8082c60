# Compiles each kernel of gpu/kernels/ to SPIR-V and embeds it, with its OpenCL text, in generated C++ of moka_gpu.
# One generated file per kernel and variant: only what changed is built again.

find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_program(GLSLANG_VALIDATOR glslangValidator REQUIRED)
find_program(SPIRV_OPT spirv-opt REQUIRED)
find_program(SPIRV_VAL spirv-val REQUIRED)

set(MOKA_KERNEL_DIR ${PROJECT_SOURCE_DIR}/gpu/kernels)
set(MOKA_EMBED_SCRIPT ${PROJECT_SOURCE_DIR}/scripts/embed_kernel.py)
file(GLOB MOKA_KERNELS CONFIGURE_DEPENDS ${MOKA_KERNEL_DIR}/*.k)
file(GLOB MOKA_KERNEL_HEADERS CONFIGURE_DEPENDS ${MOKA_KERNEL_DIR}/*.h)
set(MOKA_KERNEL_SOURCES "")
set(MOKA_KERNEL_NAMES "")

function(moka_kernel path name micro_ops micro_loop)
  set(generated ${PROJECT_BINARY_DIR}/generated/kernels/${name}.cc)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${Python3_EXECUTABLE} ${MOKA_EMBED_SCRIPT} --kernel ${path} --name ${name} --micro-ops ${micro_ops}
            --micro-loop ${micro_loop} --tools ${GLSLANG_VALIDATOR} ${SPIRV_OPT} ${SPIRV_VAL} --out ${generated}
    DEPENDS ${path} ${MOKA_KERNEL_HEADERS} ${MOKA_EMBED_SCRIPT}
    COMMENT "Compiling GPU kernel ${name}"
    VERBATIM)
  set(MOKA_KERNEL_SOURCES ${MOKA_KERNEL_SOURCES} ${generated} PARENT_SCOPE)
  set(MOKA_KERNEL_NAMES ${MOKA_KERNEL_NAMES} ${name} PARENT_SCOPE)
endfunction()

# A kernel with an epilogue exists three times: without an interpreted program, with up to 4 words, with up to 16.
foreach(path IN LISTS MOKA_KERNELS)
  get_filename_component(name ${path} NAME_WE)
  file(STRINGS ${path} epilogue REGEX "#include \"epilogue.h\"")
  moka_kernel(${path} ${name} 0 0)
  if(epilogue)
    moka_kernel(${path} ${name}_e4 4 1)
    moka_kernel(${path} ${name}_e16 16 1)
  endif()
endforeach()

set(MOKA_KERNEL_DECLARATIONS "")
set(MOKA_KERNEL_ROWS "")
foreach(name IN LISTS MOKA_KERNEL_NAMES)
  string(APPEND MOKA_KERNEL_DECLARATIONS "extern const KernelSource kKernel_${name};\n")
  string(APPEND MOKA_KERNEL_ROWS "      kKernel_${name},\n")
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/kernels.cc.in ${PROJECT_BINARY_DIR}/generated/kernels.cc @ONLY)
target_sources(moka_gpu PRIVATE ${MOKA_KERNEL_SOURCES} ${PROJECT_BINARY_DIR}/generated/kernels.cc)
