# The decoders of ImageDecoder: bmp and pnm need nothing, each other format the library of its row, and is left out where the
# library is not found. Without MOKA_IMAGE_DECODER there are none.
#   file and format; function; header; folder of the header; library
set(MOKA_IMAGE_FORMATS
    "bmp|DecodeBmp|||"
    "jpeg|DecodeJpeg|jpeglib.h||jpeg"
    "jpeg2000|DecodeJpeg2000|openjpeg.h|openjpeg-2.5|openjp2"
    "png|DecodePng|png.h||png"
    "pnm|DecodePnm|||"
    "tiff|DecodeTiff|tiffio.h||tiff"
    "webp|DecodeWebp|webp/decode.h||webp")

set(MOKA_IMAGE_ROWS "")
if(MOKA_IMAGE_DECODER)
  add_library(moka_image OBJECT)
  target_link_libraries(moka_image PUBLIC moka_flags)
  set_property(GLOBAL APPEND PROPERTY MOKA_MODULES moka_image)
  foreach(row IN LISTS MOKA_IMAGE_FORMATS)
    string(REPLACE "|" ";" row "${row}")
    list(GET row 0 format)
    list(GET row 1 function)
    list(GET row 2 header)
    list(GET row 3 folder)
    list(GET row 4 library)
    if(library)
      find_path(MOKA_${format}_INCLUDE ${header} PATH_SUFFIXES ${folder})
      find_library(MOKA_${format}_LIBRARY ${library})
      mark_as_advanced(MOKA_${format}_INCLUDE MOKA_${format}_LIBRARY)
      if(NOT MOKA_${format}_INCLUDE OR NOT MOKA_${format}_LIBRARY)
        message(STATUS "ImageDecoder: no ${format}, since ${header} or lib${library} is missing")
        continue()
      endif()
      target_include_directories(moka_image SYSTEM PRIVATE ${MOKA_${format}_INCLUDE})
      list(APPEND MOKA_IMAGE_LIBRARIES ${MOKA_${format}_LIBRARY})
    endif()
    target_sources(moka_image PRIVATE ${PROJECT_SOURCE_DIR}/image/${format}.cc)
    string(APPEND MOKA_IMAGE_ROWS "      {\"${format}\", &image::${function}},\n")
  endforeach()
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/image_formats.cc.in ${PROJECT_BINARY_DIR}/generated/image_formats.cc @ONLY)
