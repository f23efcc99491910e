"""A whole slide as DICOM, written as scanners write it: one tiled instance of JPEG frames."""

import io

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, VLWholeSlideMicroscopyImageStorage, generate_uid


def write_dicom(path, pixels, *, mpp, tile_px=64):
    """Write RGB pixels (height, width, 3) as a VL Whole Slide Microscopy image."""
    frames = []
    for y in range(0, len(pixels), tile_px):
        for x in range(0, pixels.shape[1], tile_px):
            tile = np.full((tile_px, tile_px, 3), 255, np.uint8)
            part = pixels[y : y + tile_px, x : x + tile_px]
            tile[: part.shape[0], : part.shape[1]] = part
            encoded = io.BytesIO()
            Image.fromarray(tile).save(encoded, "JPEG", quality=95, subsampling=0)
            frames.append(encoded.getvalue())
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = VLWholeSlideMicroscopyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    slide = Dataset()
    slide.file_meta = meta
    slide.SOPClassUID, slide.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    slide.StudyInstanceUID, slide.SeriesInstanceUID = generate_uid(), generate_uid()
    slide.Modality, slide.ImageType = "SM", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    slide.DimensionOrganizationType = "TILED_FULL"
    slide.TotalPixelMatrixRows, slide.TotalPixelMatrixColumns = pixels.shape[:2]
    slide.TotalPixelMatrixFocalPlanes = slide.NumberOfOpticalPaths = 1
    slide.Rows = slide.Columns = tile_px
    slide.NumberOfFrames = len(frames)
    slide.SamplesPerPixel, slide.PhotometricInterpretation, slide.PlanarConfiguration = 3, "YBR_FULL_422", 0
    slide.BitsAllocated, slide.BitsStored, slide.HighBit, slide.PixelRepresentation = 8, 8, 7, 0
    measures, shared, light = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [mpp / 1000, mpp / 1000]  # mm
    shared.PixelMeasuresSequence = [measures]
    slide.SharedFunctionalGroupsSequence = [shared]
    light.OpticalPathIdentifier = "1"
    slide.OpticalPathSequence = [light]
    slide.PixelData = encapsulate(frames)
    slide["PixelData"].VR, slide["PixelData"].is_undefined_length = "OB", True
    slide.save_as(path, enforce_file_format=True)
    return path
